/** @file What was found: a card for each object, and the details of a photograph. Texts are set as texts, never as HTML. */
import { element, place } from './query.js';

/** @typedef {import('../replies.js').SearchReply} SearchReply */
/** @typedef {import('../replies.js').ResultReply} ResultReply */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box */
/** @typedef {{ onSimilar: (result: ResultReply) => void, querySource: () => string }} Actions */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** @param {ResultReply} result */
const nameOf = ({ title, id }) => title ?? id;

/** @param {ResultReply} result */
function whyOf({ similarity, agreeing }) {
  const keypoints = agreeing === undefined ? '' : ` · ${agreeing} keypoints agree`;
  return `Similarity ${similarity.toFixed(2)}${keypoints}`;
}

/**
 * @param {Box} box px
 * @param {{ width: number, height: number }} size px
 */
const shares = (box, size) => ({
  x: box.x / size.width,
  y: box.y / size.height,
  width: box.width / size.width,
  height: box.height / size.height,
});

/** @param {ResultReply} result */
const itemPart = ({ regions }) => regions && shares(regions.item, regions.itemSize);

/**
 * @param {SearchReply} reply
 * @param {ResultReply} result
 */
const queryPart = ({ size }, { regions }) => regions && shares(regions.query, size);

/**
 * A picture with the part that agrees.
 * @param {string} src
 * @param {string} alt
 * @param {Box | undefined} part in shares
 */
function outlined(src, alt, part) {
  const region = make('b', { className: 'region', hidden: true });
  place(region, part);
  return make('span', {}, make('img', { src, alt, loading: 'lazy', decoding: 'async' }), region);
}

/**
 * Shows an answer in the list.
 * @param {SearchReply} reply
 * @param {Actions} actions
 */
export function showResults(reply, actions) {
  element('list').replaceChildren(...reply.objects.map(({ results }) => card(reply, results, actions)));
}

/**
 * @param {SearchReply} reply
 * @param {ResultReply[]} results of one object, best first
 * @param {Actions} actions
 */
function card(reply, [best, ...others], actions) {
  const open = (/** @type {ResultReply} */ result) => () => showDetails(reply, result, actions);
  const picture = make('button', { type: 'button', className: 'picture', onclick: open(best) });
  picture.append(outlined(best.thumbnail, `${nameOf(best)}: details`, itemPart(best)));
  const text = make('div', { className: 'text' }, make('h3', {}, nameOf(best)));
  const isMatch = reply.found === true && reply.objects[0].results[0] === best;
  const why = make('p', { className: 'why' });
  if (isMatch) why.append(make('strong', {}, 'Found'), ' · ');
  why.append(whyOf(best));
  text.append(why);
  if (best.rights !== undefined) text.append(make('p', { className: 'rights' }, best.rights));
  if (others.length > 0) {
    text.append(make('p', { className: 'more-label' }, `${others.length} more of the same`));
    const more = others.map((other) => {
      const image = make('img', { src: other.thumbnail, alt: `${nameOf(other)}: details`, loading: 'lazy' });
      return make('button', { type: 'button', onclick: open(other) }, image);
    });
    text.append(make('div', { className: 'more' }, ...more));
  }
  text.append(make('p', { className: 'buttons' }, ...buttons(best, actions)));
  const made = make('li', { className: isMatch ? 'card match' : 'card' }, picture, text);
  const point = (/** @type {boolean} */ on) => place(element('match'), on ? queryPart(reply, best) : undefined);
  for (const type of ['pointerenter', 'focusin']) made.addEventListener(type, () => point(true));
  for (const type of ['pointerleave', 'focusout']) made.addEventListener(type, () => point(false));
  return made;
}

/**
 * @param {ResultReply} result
 * @param {Actions} actions
 */
function buttons(result, { onSimilar }) {
  const similar = make('button', { type: 'button', onclick: () => onSimilar(result) }, 'Similar');
  similar.ariaLabel = `Similar to ${nameOf(result)}`;
  if (result.link === undefined) return [similar];
  const link = make('a', { className: 'button', href: result.link, target: '_blank', rel: 'noopener noreferrer' }, 'More');
  link.ariaLabel = `More about ${nameOf(result)}, in a new tab`;
  return [similar, link];
}

/**
 * @param {SearchReply} reply
 * @param {ResultReply} result
 * @param {Actions} actions
 */
function showDetails(reply, result, actions) {
  const dialog = element('details', 'dialog');
  const onSimilar = (/** @type {ResultReply} */ of) => {
    dialog.close();
    actions.onSimilar(of);
  };
  element('details-heading').textContent = nameOf(result);
  element('why').textContent = whyOf(result);
  const theirs = outlined(result.image, nameOf(result), itemPart(result));
  const ours = outlined(actions.querySource(), 'The query', queryPart(reply, result));
  element('pair').replaceChildren(
    make('figure', {}, ours, make('figcaption', {}, 'The query')),
    make('figure', {}, theirs, make('figcaption', {}, result.regions ? 'The part that agrees is marked' : 'Found')),
  );
  const { object, rights, accession, columns, id } = result;
  const facts = { Object: object, Rights: rights, 'Accession number': accession, ...columns, Id: id };
  element('facts').replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [make('dt', {}, name), make('dd', {}, value)],
    ),
  );
  element('actions').replaceChildren(...buttons(result, { ...actions, onSimilar }));
  dialog.showModal();
}

element('close', 'button').addEventListener('click', () => element('details', 'dialog').close());
element('details', 'dialog').addEventListener('click', ({ target, currentTarget }) => {
  if (target === currentTarget) element('details', 'dialog').close(); // beside it
});
