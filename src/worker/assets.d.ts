/** Files that the bundler copies; importing one gives its address. */
declare module '*.wasm?url' {
  const url: string;
  export default url;
}
