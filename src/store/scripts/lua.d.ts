// A .lua file imports as its text, in the bundle (wrangler rule), in tests (Vite plugin) and in Node (scripts/lua-loader.ts).
declare module '*.lua' {
  const source: string;
  export default source;
}
