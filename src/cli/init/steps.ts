/** What is to be done after `sluice init`, where a script of the template could not be added because its name is taken. */

/** A call of a script, and the words behind it. */
const CALL = /^(?:npm run|npm|bun|deno task) (\w+)(?=\s|$)/;
/** Of the template's server, and of one beside which it finds its port taken. */
const PORTS = ['localhost:3000', 'localhost:3001'] as const;

/** @param taken scripts whose names are others', and what they should have called */
export function writeSteps(steps: string[], taken: Record<string, string>): string[] {
  const replaced = steps.map((step) => step.replace(CALL, (call, name: string) => runDirectly(taken[name]) ?? call));
  if (replaced.every((step, i) => step === steps[i])) return steps;
  const { start } = taken;
  if (start === undefined || !steps.some((step) => CALL.exec(step)?.[1] === 'start')) return alignComments(replaced);
  return alignComments(replaced.map((step) => besideOther(step, start)));
}

const besideOther = (step: string, start: string) =>
  step
    .replace(...PORTS)
    .replace('sluice dev', `$& --cron http://${PORTS[1]}`)
    .replace(start, (command) => `PORT=3001 ${command}`);

/** Scripts find the commands of packages by their names, a shell does not. */
function runDirectly(command: string | undefined): string | undefined {
  return command?.replace(/^(?!node |bun |deno )/, 'npx ');
}

function alignComments(steps: string[]): string[] {
  const parts = steps.map((step) => step.split(/\s+(?=# )/));
  const width = Math.max(...parts.filter(({ length }) => length > 1).map(([command = '']) => command.length));
  return parts.map(([command = '', comment]) => (comment ? `${command.padEnd(width)}   ${comment}` : command));
}
