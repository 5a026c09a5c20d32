/** @file The page of the service: asks, shows what was found, and says what went wrong. Nothing is asked of another host. */
import { element, Query } from './query.js';
import { make, showResults } from './results.js';
import { ask, Refusal } from './service.js';

/** @typedef {import('../replies.js').SearchReply} SearchReply */
/** @typedef {import('../replies.js').ItemReply} ItemReply */
/** @typedef {import('../replies.js').CollectionReply & { limits: { megabytes: number, results: number } }} Collection */

/** A column with more values than this is typed, not chosen. */
const mostOptions = 60;
/** One column: results stand below the query. */
const narrow = matchMedia('(max-width: 48rem)');

/** @type {Collection | undefined} */
let collection;
/** @type {AbortController | undefined} */
let asking;
/** @type {ItemReply | undefined} The photograph of the collection that is the query. */
let similarTo;

const query = new Query({
  onChange() {
    similarTo = undefined;
    if (location.hash !== '') history.pushState(null, '', location.pathname + location.search);
    void search();
  },
  onRefuse: fail,
});

/** @param {string} text */
function say(text, found = false) {
  element('status').textContent = text;
  element('status').classList.toggle('found', found);
  element('error').hidden = true;
}

/** @param {string} reason */
function fail(reason, canRepeat = false) {
  say('');
  element('reason').textContent = reason;
  element('error').hidden = false;
  element('again').hidden = !canRepeat;
}

/** What the options say, by the names of the service. */
function terms() {
  const said = new URLSearchParams({ k: element('count', 'select').value });
  if (element('rerank', 'select').value !== '') said.set('rerank', element('rerank', 'select').value);
  for (const field of document.querySelectorAll('#filters select, #filters input')) {
    const { name, value } = /** @type {HTMLInputElement | HTMLSelectElement} */ (field);
    if (value !== '') said.append('where', `${name}=${value}`);
  }
  return said;
}

/** @returns {[string, RequestInit] | undefined} */
function wantedRequest() {
  if (similarTo !== undefined) return [`similar/${encodeURIComponent(similarTo.id)}?${terms()}`, {}];
  if (query.photograph === undefined) return undefined;
  const form = new FormData();
  form.append('image', query.photograph);
  for (const [name, value] of terms()) form.append(name, value);
  if (query.box !== undefined) form.append('box', query.box);
  return ['search', { method: 'POST', body: form }];
}

async function search() {
  asking?.abort();
  const wanted = wantedRequest();
  if (wanted === undefined) return;
  const [address, init] = wanted;
  if (similarTo === undefined && collection !== undefined && (query.photograph?.size ?? 0) > collection.limits.megabytes * 1e6) {
    element('list').replaceChildren();
    return fail(`The photograph has more than ${collection.limits.megabytes} MB: choose a smaller one.`);
  }
  const own = (asking = new AbortController());
  element('list').setAttribute('aria-busy', 'true');
  say('Searching …');
  try {
    const reply = /** @type {SearchReply} */ (await ask(address, { ...init, signal: own.signal }));
    if (own.signal.aborted) return;
    showResults(reply, { onSimilar: openSimilar, querySource: () => query.shown.src });
    say(summary(reply), reply.found === true);
    if (narrow.matches) element('results').scrollIntoView();
  } catch (error) {
    if (own.signal.aborted) return; // another search has begun
    element('list').replaceChildren();
    const known = error instanceof Refusal;
    fail(known ? error.message : 'The service cannot be reached.', !known || error.status === 429 || error.status >= 500);
  } finally {
    if (asking === own) element('list').setAttribute('aria-busy', 'false');
  }
}

/** @param {SearchReply} reply */
function summary({ found, objects }) {
  const results = objects.flatMap((object) => object.results);
  if (results.length === 0) return collection?.photographs === 0 ? 'The collection is empty.' : 'Nothing fits the filters.';
  const best = results[0].similarity.toFixed(2);
  const count = results.length === 1 ? '1 photograph' : `${results.length.toLocaleString('en')} photographs`;
  if (found === null) return `${count}, most similar first (${best}).`;
  if (found) return `Found in the collection. ${count}, most similar first (${best}).`;
  return `Probably not in the collection. ${count}, most similar first (${best}).`;
}

/** @param {ItemReply} item */
function openSimilar(item) {
  history.pushState(null, '', `#similar/${encodeURIComponent(item.id)}`);
  showSimilar(item);
}

/** @param {ItemReply} item */
function showSimilar(item) {
  similarTo = item;
  query.show(item.image, `Similar to ${item.title ?? item.id}`, false);
  element('results').focus({ preventScroll: true });
  if (!narrow.matches) scrollTo({ top: 0 });
  void search();
}

/** Shows what the address names: a photograph of the collection, or the own one. */
async function followAddress() {
  const [, id] = /^#similar\/(.+)$/.exec(location.hash) ?? [];
  if (id !== undefined) {
    try {
      showSimilar(/** @type {ItemReply} */ (await ask(`items/${id}`)));
    } catch (error) {
      fail(error instanceof Refusal ? error.message : 'The service cannot be reached.');
    }
  } else if (similarTo !== undefined) {
    similarTo = undefined;
    asking?.abort();
    element('list').replaceChildren();
    if (query.photograph === undefined) location.reload();
    else query.choose(query.photograph);
  }
}

/** @param {Collection['columns'][number]} column */
function filter({ name, values }) {
  if (values.length > mostOptions) {
    const options = make('datalist', { id: `values-of-${name}` }, ...values.map((value) => make('option', { value })));
    const input = make('input', { name, autocomplete: 'off' });
    input.setAttribute('list', options.id);
    return make('label', {}, `${name} `, input, options);
  }
  const any = make('option', { value: '' }, 'any');
  return make('label', {}, `${name} `, make('select', { name }, any, ...values.map((value) => make('option', { value }, value))));
}

async function open() {
  try {
    collection = /** @type {Collection} */ (await ask('collection'));
  } catch (error) {
    return fail(error instanceof Refusal ? error.message : 'The service cannot be reached: open this page again.');
  }
  const { name, photographs, columns, limits } = collection;
  document.title = `${name}: search by photograph`;
  element('name').textContent = name;
  element('size').textContent = photographs === 1 ? '1 photograph' : `${photographs.toLocaleString('en')} photographs`;
  element('filters').replaceChildren(...columns.filter(({ values }) => values.length > 1).map(filter));
  const counts = [12, 24, 48, 200, 1000].filter((count) => count <= limits.results);
  const options = counts.map((count) => make('option', { value: `${count}`, selected: count === 24 }, `${count}`));
  element('count', 'select').replaceChildren(...options);
  if (photographs === 0) say('The collection is empty.');
  await followAddress();
}

element('more', 'details').open = !narrow.matches;
element('options', 'form').addEventListener('change', () => void search());
element('options', 'form').addEventListener('submit', (event) => event.preventDefault());
element('again', 'button').addEventListener('click', () => void search());
addEventListener('popstate', () => void followAddress());
void open();
