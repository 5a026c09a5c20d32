/** @file A query that may lie on its side: described at several turns, of which each photograph counts the one that it is most similar to. */
import { quarterTurns, type QuarterTurn, type RgbImage, rotatePixels } from '../data/rgb-image.js';
import type { StoredNeighbour } from './vector-store.js';

/** Turns that a query is tried at: as it is, also upside down, also on either side. */
export const turnCounts = [1, 2, 4] as const;
/** How many turns of a query are tried. */
export type TurnCount = (typeof turnCounts)[number];

/** Degrees clockwise. */
export type Turn = 0 | QuarterTurn;

/** The query at each of its turns, as it is first. */
export function turnedBy(image: RgbImage, count: TurnCount): { turn: Turn; image: RgbImage }[] {
  const turns = count === 4 ? quarterTurns : count === 2 ? ([180] as const) : [];
  return [{ turn: 0, image }, ...turns.map((turn) => ({ turn, image: rotatePixels(image, turn) }))];
}

/** The neighbours of all turns, each once at its most similar one, best first; of equals that of the earlier turn. */
export function bestOfTurns(
  found: readonly { turn: Turn; neighbours: readonly StoredNeighbour[] }[],
): (StoredNeighbour & { turn: Turn })[] {
  const best = new Map<string, StoredNeighbour & { turn: Turn }>();
  for (const { turn, neighbours } of found) {
    for (const neighbour of neighbours) {
      const known = best.get(neighbour.id);
      if (known === undefined || neighbour.similarity > known.similarity)
        best.set(neighbour.id, { ...neighbour, turn });
    }
  }
  return [...best.values()].toSorted((a, b) => b.similarity - a.similarity);
}
