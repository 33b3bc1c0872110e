// Bundles the console: `node build.mjs <folder> <stamp>` writes hashed files, manifest.json and THIRD_PARTY.txt.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const [out, stamp] = process.argv.slice(2);
const files = {};

async function bundle() {
  const result = await build({
    entryPoints: ["js/app.js", "css/console.css"],
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    target: ["es2022", "chrome115", "firefox121", "safari17.2"],
    outdir: out,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".woff2": "file" },
    legalComments: "none",
    metafile: true,
  });
  for (const [path, { entryPoint, inputs }] of Object.entries(result.metafile.outputs)) {
    const name = basename(path);
    if (entryPoint) files[basename(entryPoint)] = name;
    else if (name.endsWith(".woff2")) files[basename(Object.keys(inputs)[0] ?? name)] = name;
    else files[name] = name;
  }
}

function hashed(name, content) {
  const [stem, extension] = name.split(/\.(?=[^.]+$)/);
  return `${stem}-${createHash("sha256").update(content).digest("hex").slice(0, 8)}.${extension}`;
}

async function emit(name, content, keepName = false) {
  files[name] = keepName ? name : hashed(name, content);
  await writeFile(join(out, files[name]), content);
}

// Browsers that take gzip get these copies; packing once costs nothing later.
async function pack() {
  for (const name of Object.values(files)) {
    if (/\.(js|css|svg|txt)$/.test(name)) await writeFile(join(out, `${name}.gz`), gzipSync(await readFile(join(out, name)), { level: 9 }));
  }
}

async function icons() {
  const folder = "node_modules/lucide-static/icons";
  const shapes = {};
  for (const file of (await readdir(folder)).sort()) {
    if (!file.endsWith(".svg")) continue;
    const svg = await readFile(join(folder, file), "utf8");
    const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
    shapes[file.slice(0, -4)] = inner.replace(/\s+/g, " ").replaceAll("> <", "><").trim();
  }
  return JSON.stringify(shapes);
}

async function licenceFiles(folder) {
  const entries = await readdir(folder, { withFileTypes: true });
  const named = entries.filter(({ name }) => /^(licen[cs]e|notice)/i.test(name)).sort((a, b) => a.name.localeCompare(b.name));
  const found = await Promise.all(named.map((e) => (e.isDirectory() ? licenceFiles(join(folder, e.name)) : [join(folder, e.name)])));
  return found.flat();
}

async function licences() {
  const lock = JSON.parse(await readFile("package-lock.json", "utf8"));
  const parts = ["The console of AI Mass contains these works, each under its own licence.\n"];
  for (const [path, about] of Object.entries(lock.packages)) {
    if (!path || about.dev || about.optional) continue;
    const texts = await Promise.all((await licenceFiles(path)).map((file) => readFile(file, "utf8")));
    const title = `${path.replace(/^.*node_modules\//, "")} ${about.version} (${about.license})`;
    parts.push(`${"=".repeat(title.length)}\n${title}\n${"=".repeat(title.length)}\n\n${texts.join("\n\n").trim()}\n`);
  }
  return parts.join("\n");
}

await mkdir(out, { recursive: true });
await bundle();
await emit("icons.json", await icons(), true);
await emit("THIRD_PARTY.txt", await licences(), true);
await emit("favicon.svg", await readFile("favicon.svg"));
await pack();
await writeFile(join(out, "manifest.json"), `${JSON.stringify({ stamp, files }, null, 1)}\n`);
