/**
 * Finds a Chromium-family browser for the tests, or installs one. Not a test runner.
 *
 * Order: CHROME_PATH, the usual places of this system, Playwright's own download, then installation:
 * apt-get as root on Debian and Ubuntu, else Playwright's download.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from '@playwright/test';

const NAMES_ON_PATH = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'microsoft-edge',
  'microsoft-edge-stable',
];

function usualPlaces(): string[] {
  if (process.platform === 'darwin') {
    const apps = [
      'Google Chrome.app/Contents/MacOS/Google Chrome',
      'Chromium.app/Contents/MacOS/Chromium',
      'Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
    ];
    return ['/Applications', join(homedir(), 'Applications')].flatMap((folder) =>
      apps.map((app) => join(folder, app)),
    );
  }
  if (process.platform === 'win32') {
    const roots = [process.env.PROGRAMFILES, process.env['PROGRAMFILES(X86)'], process.env.LOCALAPPDATA];
    const programs = ['Google\\Chrome\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'];
    return roots.flatMap((root) => (root ? programs.map((program) => join(root, program)) : []));
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  return NAMES_ON_PATH.flatMap((name) => folders.map((folder) => join(folder, name)));
}

/** Path of an installed browser, or undefined. Throws when CHROME_PATH names a file that is not there. */
export function findBrowser(): string | undefined {
  const asked = process.env.CHROME_PATH;
  if (asked) {
    if (!existsSync(asked))
      throw new Error(`CHROME_PATH is ${asked}, and no such file exists; correct or unset it.`);
    return asked;
  }
  return [...usualPlaces(), chromium.executablePath()].find((path) => existsSync(path));
}

function isDebianRoot(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/etc/os-release'))
    return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function succeeds(command: string, args: readonly string[]): boolean {
  console.log(`$ ${command} ${args.join(' ')}`);
  return spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' }).status === 0;
}

/** Path of a browser, installing one if need be; throws one sentence that says what to do when that fails too. */
export function ensureBrowser(): string {
  const present = findBrowser();
  if (present) return present;
  if (
    isDebianRoot() &&
    succeeds('apt-get', ['update']) &&
    succeeds('apt-get', ['install', '-y', 'chromium'])
  ) {
    const installed = findBrowser();
    if (installed) return installed;
  }
  if (succeeds('npx', ['playwright', 'install', 'chromium'])) {
    const installed = findBrowser();
    if (installed) return installed;
  }
  throw new Error('No Chrome, Chromium or Edge found: install one, or set CHROME_PATH to its executable.');
}
