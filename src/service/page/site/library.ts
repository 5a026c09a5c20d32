/** @file What of the library the page runs. A browser loads it in one file, that the build makes. */
export { type ComparedPhotographs, firstNeighbours } from '../../../collection/evidence.js';
export { judge, type Learned } from '../../../collection/judgement.js';
export { fromHalf } from '../../../linear/half-float.js';
