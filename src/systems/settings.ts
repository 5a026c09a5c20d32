/**
 * @file A system of the literature as data: every choice in which published systems differ, each written down. What is done
 * with them is the same for all: image at one or several sides -> feature maps -> region vectors -> (fit) -> vectors.
 */
import type { PfaFit } from '../linear/principal-features.js';
import type { PoolingOptions } from '../models/meta.js';

/** Maximum of each channel: one vector, l2. */
export interface MacPooling {
  kind: 'mac';
}

/** Sum of each channel, one vector, l2; with a Gaussian around the centre (Babenko and Lempitsky 2015) or without. */
export interface SumPooling {
  kind: 'sum';
  centrePrior: boolean;
}

/** One l2-normalised vector per region of a grid: the maximum or the sum of its cells. */
export interface RegionPooling {
  kind: 'regions';
  of: 'max' | 'sum';
  grid: PoolingOptions['grid'];
  plane: PoolingOptions['plane'];
  levels: number;
  wholeImage: boolean;
  precision: PoolingOptions['precision'];
}

/** Square windows slid over the map; a channel's value is the root of the sum of its squared maxima (OS-RMAC). One vector, l2. */
export interface SlidingPooling {
  kind: 'sliding';
  levels: number;
  /** Stride of the windows over their side. */
  stride: number;
}

export type SystemPooling = MacPooling | SumPooling | RegionPooling | SlidingPooling;

/** Whitening of region vectors: shift, rotation, division by the deviations, l2. */
export interface PcaFit {
  kind: 'pca';
  /** Directions kept; 'all' the map has. */
  dimension: number | 'all';
}

/** Whitening that turns back into the axes of the channels (R-MAC+). */
export interface ZcaFit {
  kind: 'zca';
  /** 'sound': small eigenvalues raised to 1e-8 of the largest. 'published': 1e-18 added to those of the undivided scatter. */
  floor: 'sound' | 'published';
}

export interface SystemSettings {
  /** Longest sides of the image, px, one pass through the network each. The first is the one `--size` sets, the rest keep their ratio to it. */
  sides: readonly number[];
  /** Enlarge images that are smaller. */
  upscale: boolean;
  /** What a query's box cuts: the resized image, or the feature maps of the whole image ('published': without the last column). */
  queryCrop: 'image' | 'map' | 'map-published';
  /** Feature maps used: 0 the network's last one, 1 that of the stage before it, and so on. Their vectors are joined in this order. */
  maps: readonly number[];
  /** Weights of the maps' vectors; equal without. */
  mapWeights?: readonly number[];
  /** Several sides: add the maps, resized to the largest ('early'); add the descriptors ('late'); put all regions into one list. */
  fusion: 'early' | 'late' | 'list';
  /** Maps are resized bilinearly, cells aligned by their centres of area ('half-pixel') or their corner cells ('corners', Torch7). */
  mapResize: 'half-pixel' | 'corners';
  /** A second vector from the maps where the class activation exceeds `threshold` times its mean (OS-RMAC's local descriptor). */
  mask?: { threshold: number };
  pooling: SystemPooling;
  fit?: PcaFit | ZcaFit | PfaFit;
  /** l2 of the vector an image ends as. (OS-RMAC names none behind joining and selecting.) */
  unit: boolean;
  /** What the database keeps: a vector per image, or all of its whitened regions (R-MAC+'s db regions). */
  database: 'vector' | 'regions';
  /** 'layers': the weighted sum of the maps' Euclidean distances (MS-RMAC). Over several vectors the nearest counts. */
  distance: 'dot' | 'euclidean' | 'manhattan' | 'layers';
  /** Add the best region or vector of each of the first so many results to the query, then search again. */
  expansion?: { results: number; scale: 'sound' | 'published' };
  /** Smallest norm an l2 normalisation divides by. */
  epsilon: number;
}
