// A tree is made anew for each paint and laid over the one that is shown: what is the same stays, with its focus.

const svg = 'http://www.w3.org/2000/svg';

// h makes an element. Children may be texts, elements, or nothing.
export function h(tag, attributes, ...children) {
  const el = tag === 'svg' || tag === 'use' ? document.createElementNS(svg, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) el.setAttribute(name, '');
    else if (value !== false && value !== undefined && value !== null) el.setAttribute(name, value);
  }
  el.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ''));
  return el;
}

export const icon = (name) => h('svg', { class: 'i', 'aria-hidden': 'true' }, h('use', { href: `#${name}` }));

// Set by the reader or by styles(), not by the tree.
const kept = new Set(['open', 'style']);

function attributes(from, to) {
  for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !kept.has(name)) from.removeAttribute(name);
}

const key = (node) => node?.dataset?.key;

export function morph(from, to) {
  if (from.nodeName !== to.nodeName || key(from) !== key(to)) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  attributes(from, to);
  const wanted = [...to.childNodes];
  wanted.forEach((want, i) => {
    const here = from.childNodes[i];
    const same = key(want) && [...from.children].find((child) => key(child) === key(want));
    if (same && same !== here) from.insertBefore(same, here);
    const present = same || here;
    if (!present) from.append(want);
    else if (key(want) && !same) from.insertBefore(want, here);
    else morph(present, want);
  });
  while (from.childNodes.length > wanted.length) from.lastChild.remove();
}

// styles sets what differs by number: the page's policy allows no style in markup.
export function styles(root) {
  for (const el of root.querySelectorAll('[data-p]')) el.style.setProperty('--p', `${el.dataset.p}%`);
  for (const el of root.querySelectorAll('[data-h]')) el.style.setProperty('--h', `${el.dataset.h}px`);
}
