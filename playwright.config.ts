/**
 * Browser tests of the built page (`npm run build` first; `npm test` does). One worker: the page's own engine uses
 * every core. No retries: a test that needs luck is a failed test.
 */
import { createServer } from 'node:net';
import { defineConfig } from '@playwright/test';
import { PLAIN_BROWSER } from './e2e/chromium';

/** A port that is free now; kept in the environment because Playwright reads this file once a process. */
async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(typeof address === 'object' && address ? address.port : 4173);
}

process.env.E2E_PORT ??= await freePort();
const baseURL = `http://localhost:${process.env.E2E_PORT}/`;

export default defineConfig({
  testDir: 'e2e',
  workers: 1,
  retries: 0,
  // Generous: on a busy machine everything may take ten times as long, and that is not what is tested.
  timeout: 400_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: 'list',
  webServer: {
    command: 'tsx e2e/serve.ts',
    url: baseURL,
    timeout: 120_000,
    reuseExistingServer: false,
    // Lets it remove the model that it made.
    gracefulShutdown: { signal: 'SIGTERM', timeout: 3000 },
  },
  use: {
    baseURL,
    browserName: 'chromium',
    viewport: { width: 1366, height: 768 },
    launchOptions: PLAIN_BROWSER,
  },
});
