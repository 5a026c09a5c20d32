/** @file The query: a photograph that was chosen, dropped, pasted or taken, and a box over the part that matters. */

/** @typedef {{ x: number, y: number, width: number, height: number }} Part in shares of the photograph, 0 to 1 */

/** Smaller boxes are a click, share of the photograph. */
const smallest = 0.02;
const step = 0.02;

/**
 * @template {keyof HTMLElementTagNameMap} [K='div']
 * @param {string} id
 * @param {K} [_kind]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(id, _kind) {
  return /** @type {HTMLElementTagNameMap[K]} */ (document.getElementById(id));
}

/**
 * Places an element over a picture.
 * @param {HTMLElement} over
 * @param {Part | undefined} part
 */
export function place(over, part) {
  over.hidden = part === undefined;
  if (part === undefined) return;
  over.style.left = `${100 * part.x}%`;
  over.style.top = `${100 * part.y}%`;
  over.style.width = `${100 * part.width}%`;
  over.style.height = `${100 * part.height}%`;
}

export class Query {
  /** @type {Blob | undefined} */
  photograph;
  /** @type {Part | undefined} */
  part;
  frame = element('frame');
  shown = element('shown', 'img');
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;
  #fields = /** @type {const} */ (['x', 'y', 'width', 'height']).map((side) => ({
    side,
    input: element(`box-${side}`, 'input'),
  }));

  /**
   * @param {{ onChange: () => void, onRefuse: (reason: string) => void }} listener is told of another photograph or part, and of
   *   what is none
   */
  constructor({ onChange, onRefuse }) {
    this.onChange = onChange;
    this.onRefuse = onRefuse;
    for (const id of ['file', 'camera']) {
      const input = element(id, 'input');
      input.addEventListener('change', () => {
        if (input.files?.[0] !== undefined) this.choose(input.files[0]);
        input.value = ''; // the same file may be chosen again
      });
    }
    document.addEventListener('paste', (event) => this.#take(event.clipboardData, event));
    document.addEventListener('dragover', (event) => {
      event.preventDefault();
      document.body.classList.add('dragging');
    });
    document.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) document.body.classList.remove('dragging');
    });
    document.addEventListener('drop', (event) => {
      document.body.classList.remove('dragging');
      event.preventDefault();
      this.#take(event.dataTransfer, event);
    });
    this.shown.addEventListener('error', () => this.frame.classList.add('blind'));
    this.frame.addEventListener('pointerdown', (event) => this.#drag(event));
    this.frame.addEventListener('keydown', (event) => this.#key(event));
    element('whole', 'button').addEventListener('click', () => this.#setPart(undefined, 0));
    for (const { input } of this.#fields) input.addEventListener('input', () => this.#readNumbers());
  }

  /** @param {Blob} photograph */
  choose(photograph) {
    this.photograph = photograph;
    this.show(URL.createObjectURL(photograph), 'Your photograph', true);
    this.onChange();
  }

  /**
   * Shows a picture as the query.
   * @param {string} address
   * @param {string} name
   * @param {boolean} own whether it may have a box
   */
  show(address, name, own) {
    if (this.shown.src.startsWith('blob:') && this.shown.src !== address) URL.revokeObjectURL(this.shown.src);
    this.frame.classList.remove('blind');
    this.frame.classList.toggle('fixed', !own);
    this.frame.tabIndex = own ? 0 : -1;
    this.frame.setAttribute('role', own ? 'application' : 'group');
    this.shown.src = address;
    this.shown.alt = name;
    element('query-heading').textContent = name;
    this.frame.hidden = false;
    for (const id of ['frame-help', 'numbers']) element(id).hidden = !own;
    this.#showPart(undefined);
    place(element('match'), undefined);
  }

  /** The part in px of the photograph, as the service takes it. */
  get box() {
    const { naturalWidth, naturalHeight } = this.shown;
    if (this.part === undefined || naturalWidth === 0) return undefined;
    const { x, y, width, height } = this.part;
    return [x * naturalWidth, y * naturalHeight, width * naturalWidth, height * naturalHeight]
      .map((value) => value.toFixed(2))
      .join(',');
  }

  /**
   * @param {DataTransfer | null} data
   * @param {Event} event
   */
  #take(data, event) {
    const file = [...(data?.files ?? [])].find(({ type }) => type === '' || type.startsWith('image/'));
    if (file !== undefined) {
      event.preventDefault();
      this.choose(file);
    } else if ((data?.files.length ?? 0) > 0) {
      this.onRefuse('This file is no photograph.');
    } else if (event.type === 'drop') {
      this.onRefuse('Nothing was fetched: save the picture and drop its file, or copy the picture and paste it.');
    }
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    if (event.button !== 0 || this.frame.classList.contains('fixed') || !event.isPrimary) return;
    const start = this.#at(event);
    const before = this.part;
    this.frame.setPointerCapture(event.pointerId);
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      const end = this.#at(moved);
      this.#showPart({
        x: Math.min(start.x, end.x),
        y: Math.min(start.y, end.y),
        width: Math.abs(end.x - start.x),
        height: Math.abs(end.y - start.y),
      });
    };
    const listening = new AbortController();
    const { signal } = listening;
    this.frame.addEventListener('pointermove', move, { signal });
    this.frame.addEventListener('pointercancel', () => (listening.abort(), this.#showPart(before)), { signal });
    this.frame.addEventListener(
      'pointerup',
      () => {
        listening.abort();
        const drawn = this.part;
        const isClick = drawn === before || (drawn && (drawn.width < smallest || drawn.height < smallest));
        if (!isClick) this.#setPart(drawn, 0);
        else if (before === undefined) this.#showPart(undefined);
        else this.#setPart(undefined, 0); // a click takes the box away
      },
      { signal },
    );
  }

  /** @param {PointerEvent} event */
  #at(event) {
    const { left, top, width, height } = this.shown.getBoundingClientRect();
    const share = (/** @type {number} */ value) => Math.min(1, Math.max(0, value));
    return { x: share((event.clientX - left) / width), y: share((event.clientY - top) / height) };
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.frame.classList.contains('fixed') || event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const part = this.part;
    if (event.key === 'Enter' || event.key === ' ') {
      if (part === undefined) this.#setPart({ x: 0.25, y: 0.25, width: 0.5, height: 0.5 });
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      if (part !== undefined) this.#setPart(undefined);
    } else if (direction !== undefined && part !== undefined) {
      const [dx, dy] = direction.map((sign) => sign * step);
      this.#setPart(
        event.shiftKey
          ? { ...part, width: part.width + dx, height: part.height + dy }
          : { ...part, x: part.x + dx, y: part.y + dy },
      );
    } else {
      return;
    }
    event.preventDefault();
  }

  #readNumbers() {
    const values = this.#fields.map(({ side, input }) => [side, input.value === '' ? undefined : Number(input.value) / 100]);
    const { x = 0, y = 0, width = 1 - x, height = 1 - y } = Object.fromEntries(values);
    this.#setPart({ x, y, width, height }, 600, true);
  }

  /**
   * @param {Part | undefined} part
   * @param {number} [afterMs] what is typed or held down is waited for
   * @param {boolean} [typed] leaves the numbers as they are being typed
   */
  #setPart(part, afterMs = 400, typed = false) {
    this.#showPart(part && inside(part), typed);
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.onChange(), afterMs);
  }

  /**
   * @param {Part | undefined} part
   * @param {boolean} [typed]
   */
  #showPart(part, typed = false) {
    this.part = part;
    place(element('box'), part);
    place(element('match'), undefined);
    element('whole').hidden = part === undefined;
    if (typed) return;
    for (const { side, input } of this.#fields) input.value = part === undefined ? '' : (100 * part[side]).toFixed(0);
  }
}

/**
 * @param {Part} part
 * @returns {Part}
 */
function inside({ x, y, width, height }) {
  const side = (/** @type {number} */ value) => Math.min(1, Math.max(smallest, value));
  const w = side(width);
  const h = side(height);
  return { x: Math.max(0, Math.min(1 - w, x)), y: Math.max(0, Math.min(1 - h, y)), width: w, height: h };
}
