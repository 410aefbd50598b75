/** Generated WGSL as a record that can be read. */

/** Indented by the depth of its braces, without empty lines. */
export function indented(code: string): string {
  let depth = 0;
  const lines = code.split('\n').map((line) => line.trim());
  const indented = lines.filter(Boolean).map((line) => {
    const closes = line.startsWith('}') ? 1 : 0;
    const text = '  '.repeat(Math.max(0, depth - closes)) + line;
    depth += (line.match(/{/g)?.length ?? 0) - (line.match(/}/g)?.length ?? 0);
    return text;
  });
  return `${indented.join('\n')}\n`;
}
