// Bundles the dashboard: node build.mjs OUT [--dev]. Names carry a hash of the content, so that the
// server may call them immutable; index.html names them. NAME.gz is written beside each text file.
import { build } from 'esbuild';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const out = process.argv[2];
if (!out) {
  console.error('usage: node build.mjs OUT');
  process.exit(2);
}
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const result = await build({
  entryPoints: { app: 'src/app.tsx', theme: 'src/theme.ts' },
  outdir: out,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2021'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});

const made = {};
for (const [file, info] of Object.entries(result.metafile.outputs)) {
  const name = basename(file);
  if (info.entryPoint === 'src/app.tsx') {
    made.app = name;
    made.css = basename(info.cssBundle);
  } else if (info.entryPoint === 'src/theme.ts') {
    made.theme = name;
  }
}

let page = readFileSync('src/index.html', 'utf8');
for (const [key, name] of Object.entries(made)) {
  page = page.replaceAll(`{{${key}}}`, name);
}
if (page.includes('{{')) {
  throw new Error('index.html names a file that was not made');
}
writeFileSync(join(out, 'index.html'), page);
for (const name of readdirSync('public')) {
  copyFileSync(join('public', name), join(out, name));
}
const licences = ['preact', 'uplot'].map((name) => {
  const version = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
  return `${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`;
});
writeFileSync(join(out, 'licences.txt'), licences.join('\n\n'));

for (const name of readdirSync(out)) {
  const raw = readFileSync(join(out, name));
  const small = gzipSync(raw, { level: 9 });
  if (small.length < raw.length * 0.95) {
    writeFileSync(join(out, name + '.gz'), small);
  }
}
