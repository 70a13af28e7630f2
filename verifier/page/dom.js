// A description of elements in, the document brought to it in place: what stays the same is not touched.

/** @typedef {{mount(el: HTMLElement, data: any): void, update(el: HTMLElement, data: any): void, unmount(el: HTMLElement): void}} Widget */
/** @typedef {Record<string, any>} Props */
/** @typedef {{tag: string, props: Props, children: (VNode | string)[]}} VNode */
/** @typedef {VNode | string | number | null | undefined | false | Child[]} Child */

const SVG = 'http://www.w3.org/2000/svg';
/** @type {WeakMap<Node, VNode>} */
const described = new WeakMap();

/** One element. Props: attributes; and `key`, `class`, `on` (handlers by event), `style` (CSS properties), `prop` (DOM
 * properties), `widget` with `data` (an element that something else fills).
 * @param {string} tag @param {Props | null} props @param {...Child} children @returns {VNode} */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: flat(children) };
}

/** @param {Child} children @returns {(VNode | string)[]} */
function flat(children) {
  if (Array.isArray(children)) return children.flatMap(flat);
  if (children === null || children === undefined || children === false) return [];
  return [typeof children === 'number' ? String(children) : children];
}

/** Brings the element's content to what is described. @param {Element} parent @param {Child} children */
export function render(parent, children) {
  /** @type {Map<string, ChildNode>} */
  const keyed = new Map();
  for (const node of parent.childNodes) {
    const key = described.get(node)?.props.key;
    if (key !== undefined) keyed.set(String(key), node);
  }
  /** @type {ChildNode | null} */
  let at = parent.firstChild;
  for (const child of flat(children)) {
    if (typeof child === 'string') {
      if (at instanceof Text) {
        if (at.data !== child) at.data = child;
        at = at.nextSibling;
      } else parent.insertBefore(document.createTextNode(child), at);
      continue;
    }
    const key = child.props.key;
    /** @type {ChildNode | null | undefined} */
    const found = key === undefined ? at : keyed.get(String(key));
    const same = found && described.get(found);
    if (found && same && same.tag === child.tag && same.props.key === key && same.props.widget === child.props.widget) {
      if (found === at) at = at.nextSibling;
      else parent.insertBefore(found, at);
      update(/** @type {Element} */ (found), same, child);
    } else parent.insertBefore(create(child, parent), at);
  }
  while (at) {
    const next = at.nextSibling;
    forget(at);
    at.remove();
    at = next;
  }
}

/** @param {VNode} vnode @param {Element} parent */
function create(vnode, parent) {
  const svg = vnode.tag === 'svg' || (parent.namespaceURI === SVG && parent.tagName !== 'foreignObject');
  const el = svg ? document.createElementNS(SVG, vnode.tag) : document.createElement(vnode.tag);
  update(el, { tag: vnode.tag, props: {}, children: [] }, vnode);
  return el;
}

/** @param {Element} el @param {VNode} before @param {VNode} after */
function update(el, before, after) {
  const shown = /** @type {HTMLElement} */ (el);
  const known = described.has(el);
  described.set(el, after);
  attributes(shown, before.props, after.props);
  const { widget, data } = after.props;
  if (!widget) render(el, after.children);
  else if (known) widget.update(shown, data);
  else widget.mount(shown, data);
}

const NOT_ATTRIBUTES = new Set(['key', 'on', 'style', 'prop', 'widget', 'data']);

/** @param {HTMLElement} el @param {Props} before @param {Props} after */
function attributes(el, before, after) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const value = after[name];
    if (NOT_ATTRIBUTES.has(name) || before[name] === value) continue;
    if (value === undefined || value === null || value === false) el.removeAttribute(name);
    else el.setAttribute(name, value === true ? '' : String(value));
  }
  for (const name of new Set([...Object.keys(before.on ?? {}), ...Object.keys(after.on ?? {})])) {
    /** @type {any} */ (el)[`on${name}`] = after.on?.[name] ?? null;
  }
  for (const name of new Set([...Object.keys(before.style ?? {}), ...Object.keys(after.style ?? {})])) {
    const value = after.style?.[name];
    if (before.style?.[name] !== value) el.style.setProperty(name, value ?? '');
  }
  for (const [name, value] of Object.entries(after.prop ?? {})) {
    if (/** @type {any} */ (el)[name] !== value) /** @type {any} */ (el)[name] = value;
  }
}

/** Lets widgets below it let go of what they hold. @param {Node} node */
function forget(node) {
  const widget = described.get(node)?.props.widget;
  if (widget) widget.unmount(/** @type {HTMLElement} */ (node));
  else node.childNodes.forEach(forget);
}
