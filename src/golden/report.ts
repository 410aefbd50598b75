/** Counts and prints. A check that throws has failed; nothing is skipped without a reason. */

export class Report {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Backend under test, in front of every name. */
  prefix = '';

  constructor(
    readonly print: (line: string) => void,
    readonly verbose = false,
  ) {}

  /** Runs one check. A returned text is printed in verbose mode. */
  async check(name: string, run: () => unknown): Promise<void> {
    const title = `${this.prefix}${name}`;
    try {
      const note = await run();
      this.passed++;
      if (this.verbose) this.print(`ok    ${title}${typeof note === 'string' ? `  (${note})` : ''}`);
    } catch (error) {
      this.failed++;
      this.print(`FAIL  ${title}: ${error instanceof Error ? error.message : String(error)}`);
      if (this.verbose && error instanceof Error && error.stack) this.print(error.stack);
    }
  }

  skip(name: string, reason: string): void {
    this.skipped++;
    this.print(`skip  ${this.prefix}${name}: ${reason}`);
  }

  summary(): string {
    return `${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`;
  }
}
