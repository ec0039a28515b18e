import { mkdirSync } from 'node:fs';
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

const root = new URL('../..', import.meta.url).pathname;
// The Worker is configured with the dashboard's folder; these tests need it only to exist.
mkdirSync(`${root}.build/dashboard`, { recursive: true });

export default defineConfig({
  root,
  plugins: [
    cloudflareTest({
      main: `${root}edge/worker.ts`,
      wrangler: { configPath: `${root}wrangler.toml` },
      miniflare: { bindings: { RELAY_SECRET: 'test-secret', HUB_PARTITIONS: '2', ROOM_SHARDS: '1' } },
    }),
  ],
  test: { include: ['test/edge/**/*.test.ts'], testTimeout: 20_000 },
});
