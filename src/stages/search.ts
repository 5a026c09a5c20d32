/** @file A collection opened for queries. */
import type { Box } from '../data/manifest.js';
import { InputError } from '../errors.js';
import type { StageContext } from './context.js';
import type { EngineChoice, ModelChoice } from './open-model.js';

export interface CollectionInfo {
  name: string;
  model: { file?: string; sha256: string; dimension: number };
  photographs: number;
  columns: string[];
  threshold: number | undefined;
}

export interface CollectionItem {
  id: string;
  path: string;
  object?: string;
  title?: string;
  rights?: string;
  link?: string;
  columns: Record<string, string>;
}

export interface OpenedCollection {
  readonly info: CollectionInfo;
  item(id: string): CollectionItem | undefined;
  search(query: SearchQuery, options?: SearchOptions): Promise<SearchAnswer>;
  similar(id: string, options?: SearchOptions): Promise<SearchAnswer>;
  values(column: string): string[];
  reload(): Promise<boolean>;
  dispose(): void;
}

export interface SearchQuery {
  image: string | Uint8Array;
  box?: Box;
}

export interface SearchOptions {
  count?: number;
  where?: Record<string, string[]>;
  queryExpansion?: string;
  rerank?: 'aml' | 'sift';
  signal?: AbortSignal;
}

export interface SearchAnswer {
  found: boolean | undefined;
  threshold: number | undefined;
  size: { width: number; height: number };
  objects: FoundObject[];
  ms: { describe: number; search: number; verify?: number };
}

export interface FoundObject {
  object: string | undefined;
  results: SearchResult[];
}

export interface SearchResult {
  item: CollectionItem;
  similarity: number;
  agreeing?: number;
  regions?: { query: Box; item: Box };
}

export async function openCollection(
  directory: string,
  _options: EngineChoice & ModelChoice = {},
  _context: StageContext = {},
): Promise<OpenedCollection> {
  throw new InputError(`${directory}: no collection.`);
}
