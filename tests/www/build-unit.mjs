// Bundles unit/*.test.ts for `node --test`: node build-unit.mjs OUT (run beside www/node_modules).
import { createRequire } from 'node:module';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const { build } = createRequire(join(here, '../../www/package.json'))('esbuild');
await build({
  entryPoints: readdirSync(join(here, 'unit')).map((name) => join(here, 'unit', name)),
  outdir: process.argv[2],
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node18',
  logLevel: 'warning',
});
