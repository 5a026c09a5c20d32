/** @file Under its former name, for commands that are no stages yet. */
export { openEngine } from '../stages/open-model.js';
