/** The stylesheet of the reference page: one column, readable on a phone, dark or light as the reader has it. */
export const STYLE = `
:root{color-scheme:light dark;--line:light-dark(#d8dce2,#3a4048);--soft:light-dark(#f4f5f7,#20242a);--dim:light-dark(#57606a,#9aa4b0)}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,sans-serif;background:light-dark(#fff,#16191d);color:light-dark(#1d2329,#e3e7ec)}
main{max-width:54rem;margin:0 auto;padding:1rem}
h1 small,dd,i{color:var(--dim);font-weight:400;font-style:normal}
h2{margin:2rem 0 .25rem;border-bottom:1px solid var(--line)}
h3,h4{margin:1.25rem 0 .25rem}
p{margin:.4rem 0}
a{color:light-dark(#0b5cad,#79b8ff)}
code,pre{font:.875em/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
pre{margin:.4rem 0;padding:.6rem;background:var(--soft);border-radius:.4rem;overflow:auto;overflow-wrap:normal}
details{margin:.4rem 0;padding:0 .75rem;border:1px solid var(--line);border-radius:.4rem}
details[open]{padding-bottom:.75rem}
summary{margin:0 -.75rem;padding:.5rem .75rem;cursor:pointer}
summary span{color:var(--dim)}
summary b{display:inline-block;min-width:4.2em;font-size:.8em}
.get{color:light-dark(#0a6b3d,#5fd08f)}.post{color:light-dark(#0b5cad,#79b8ff)}.delete{color:light-dark(#b3261e,#ff8f86)}
dl{margin:.5rem 0}
dl div{padding:.35rem 0;border-top:1px solid var(--line)}
dt{overflow-wrap:anywhere}
dd{margin:0;font-size:.93em}
.problem{font-size:.93em;color:var(--dim)}
section:target,details:target{outline:2px solid;outline-offset:4px}
`;
