/** @file Under their former name, for commands that are no stages yet. */
export { openEngine } from '../stages/open-model.js';
export { sizeOption } from './model-options.js';
