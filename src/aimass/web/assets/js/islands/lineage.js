// A layered graph from left to right, drawn as SVG: longest-path layers, then a few sweeps that bring neighbours together.
const NODE = { height: 46, gapY: 18, margin: 12, widest: 190, narrowest: 136 };
const GAP = { widest: 64, narrowest: 24 };
const LETTER = 7;
const SWEEPS = 6;
const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Gives each node its layer: one more than the deepest of those before it. An edge of a circle is passed over.
export function layers(nodes, edges) {
  const before = new Map(nodes.map((node) => [node.id, []]));
  edges.forEach(([from, to]) => before.has(from) && before.get(to)?.push(from));
  const depth = new Map();
  const visit = (id, path) => {
    if (depth.has(id)) return depth.get(id);
    const known = before.get(id).filter((other) => !path.has(other));
    const deepest = known.length ? 1 + Math.max(...known.map((other) => visit(other, new Set([...path, id])))) : 0;
    depth.set(id, deepest);
    return deepest;
  };
  nodes.forEach((node) => visit(node.id, new Set([node.id])));
  const found = [];
  nodes.forEach((node) => (found[depth.get(node.id)] ??= []).push(node));
  return found.map((layer) => layer ?? []);
}

// A long chain gets narrower boxes and shorter arrows before it has to be scrolled.
function measures(columns, room) {
  const free = room - 2 * NODE.margin;
  const gapX = Math.min(GAP.widest, Math.max(GAP.narrowest, (free - columns * NODE.widest) / Math.max(1, columns - 1)));
  const width = Math.min(NODE.widest, Math.max(NODE.narrowest, (free - (columns - 1) * gapX) / columns));
  return { width: Math.floor(width), gapX: Math.floor(gapX) };
}

function order(found, edges) {
  const place = new Map();
  const note = (layer) => layer.forEach((node, at) => place.set(node.id, at));
  found.forEach(note);
  const mean = (id, side) => {
    const near = edges.filter((edge) => edge[1 - side] === id).map((edge) => place.get(edge[side])).filter((at) => at !== undefined);
    return near.length ? near.reduce((sum, at) => sum + at, 0) / near.length : place.get(id);
  };
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const layer of sweep % 2 ? [...found].reverse() : found) {
      const wish = new Map(layer.map((node) => [node.id, mean(node.id, sweep % 2)]));
      layer.sort((a, b) => wish.get(a.id) - wish.get(b.id));
      note(layer);
    }
  }
}

function place(found, { width, gapX }) {
  const tallest = Math.max(...found.map((layer) => layer.length));
  const at = new Map();
  found.forEach((layer, column) => {
    const shift = ((tallest - layer.length) * (NODE.height + NODE.gapY)) / 2;
    layer.forEach((node, row) => at.set(node.id, {
      x: NODE.margin + column * (width + gapX),
      y: NODE.margin + shift + row * (NODE.height + NODE.gapY),
    }));
  });
  return {
    at,
    width: 2 * NODE.margin + found.length * (width + gapX) - gapX,
    height: 2 * NODE.margin + tallest * (NODE.height + NODE.gapY) - NODE.gapY,
  };
}

function edge(from, to, width, lit) {
  const [x1, y1, x2, y2] = [from.x + width, from.y + NODE.height / 2, to.x - 5, to.y + NODE.height / 2];
  const bend = Math.max(12, (x2 - x1) / 2);
  return svg("path", { class: `edge${lit ? " is-lit" : ""}`, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, "marker-end": "url(#lineage-arrow)" });
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function box(node, { x, y }, width, focus) {
  const classes = `node${node.id === focus ? " is-focus" : ""}${node.tone === "bad" ? " is-bad" : ""}`;
  const made = svg(
    "a", { class: classes, href: node.href, "data-id": node.id, transform: `translate(${x} ${y})` },
    svg("rect", { width, height: NODE.height, rx: 8 }),
    svg("text", { class: "kind", x: 12, y: 18 }),
    svg("text", { x: 12, y: 35 }),
    svg("title"),
  );
  const letters = Math.floor((width - 16) / LETTER) + 1;
  made.children[1].textContent = cut(node.kind, letters + 2);
  made.children[2].textContent = cut(node.title, letters);
  made.children[3].textContent = `${node.kind}: ${node.title}`;
  return made;
}

function walk(event, found) {
  const here = event.target.closest?.(".node");
  if (!here) return;
  const column = found.findIndex((layer) => layer.some((node) => node.id === here.dataset.id));
  const row = found[column].findIndex((node) => node.id === here.dataset.id);
  const next = {
    ArrowUp: found[column][row - 1],
    ArrowDown: found[column][row + 1],
    ArrowLeft: found[column - 1]?.[Math.min(row, found[column - 1].length - 1)],
    ArrowRight: found[column + 1]?.[Math.min(row, found[column + 1].length - 1)],
  }[event.key];
  if (!next) return;
  event.preventDefault();
  event.currentTarget.querySelector(`[data-id="${CSS.escape(next.id)}"]`).focus();
}

export function start(root) {
  const { nodes, edges, focus } = JSON.parse(root.querySelector("script").textContent);
  if (!nodes.length) return;
  const found = layers(nodes, edges);
  order(found, edges);
  const boxes = measures(found.length, root.clientWidth);
  const { at, width, height } = place(found, boxes);
  const arrow = svg("marker", { id: "lineage-arrow", viewBox: "0 0 8 8", refX: 5, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0 0 8 4 0 8z" }));
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, svg("defs", {}, arrow));
  picture.append(...edges.filter(([a, b]) => at.has(a) && at.has(b)).map(([a, b]) => edge(at.get(a), at.get(b), boxes.width, a === focus || b === focus)));
  picture.append(...nodes.map((node) => box(node, at.get(node.id), boxes.width, focus)));
  picture.addEventListener("keydown", (event) => walk(event, found));
  root.append(picture);
  const middle = at.get(focus);
  const hidden = middle ? middle.x + boxes.width + boxes.gapX - root.clientWidth : 0;
  if (hidden > 0) root.scrollLeft = hidden;
}
