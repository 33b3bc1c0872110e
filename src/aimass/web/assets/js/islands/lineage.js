// A layered graph from left to right, drawn as SVG: longest-path layers, then a few sweeps that bring neighbours together.
const NODE = { width: 190, height: 46, gapX: 64, gapY: 18, margin: 12 };
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

function place(found) {
  const tallest = Math.max(...found.map((layer) => layer.length));
  const at = new Map();
  found.forEach((layer, column) => {
    const shift = ((tallest - layer.length) * (NODE.height + NODE.gapY)) / 2;
    layer.forEach((node, row) => at.set(node.id, {
      x: NODE.margin + column * (NODE.width + NODE.gapX),
      y: NODE.margin + shift + row * (NODE.height + NODE.gapY),
    }));
  });
  return {
    at,
    width: 2 * NODE.margin + found.length * (NODE.width + NODE.gapX) - NODE.gapX,
    height: 2 * NODE.margin + tallest * (NODE.height + NODE.gapY) - NODE.gapY,
  };
}

function edge(from, to, lit) {
  const [x1, y1, x2, y2] = [from.x + NODE.width, from.y + NODE.height / 2, to.x - 5, to.y + NODE.height / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return svg("path", { class: `edge${lit ? " is-lit" : ""}`, d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, "marker-end": "url(#lineage-arrow)" });
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function box(node, { x, y }, focus) {
  const classes = `node${node.id === focus ? " is-focus" : ""}${node.tone === "bad" ? " is-bad" : ""}`;
  const made = svg(
    "a", { class: classes, href: node.href, "data-id": node.id, transform: `translate(${x} ${y})` },
    svg("rect", { width: NODE.width, height: NODE.height, rx: 8 }),
    svg("text", { class: "kind", x: 12, y: 18 }),
    svg("text", { x: 12, y: 35 }),
    svg("title"),
  );
  made.children[1].textContent = cut(node.kind, 28);
  made.children[2].textContent = cut(node.title, 26);
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
  const { at, width, height } = place(found);
  const arrow = svg("marker", { id: "lineage-arrow", viewBox: "0 0 8 8", refX: 5, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0 0 8 4 0 8z" }));
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, svg("defs", {}, arrow));
  picture.append(...edges.filter(([a, b]) => at.has(a) && at.has(b)).map(([a, b]) => edge(at.get(a), at.get(b), a === focus || b === focus)));
  picture.append(...nodes.map((node) => box(node, at.get(node.id), focus)));
  picture.addEventListener("keydown", (event) => walk(event, found));
  root.append(picture);
  const middle = at.get(focus);
  const hidden = middle ? middle.x + NODE.width + NODE.gapX - root.clientWidth : 0;
  if (hidden > 0) root.scrollLeft = hidden;
}
