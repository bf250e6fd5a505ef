/** Completion scripts for shells: the words that may follow, from the tree of commands. They call nothing. Pure. */
import type { Command, Help, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** One command: the words that lead to it, and those that may follow. */
interface Place {
  /** Such as "dead redrive"; empty for the program itself. */
  at: string;
  commands: Command[];
  options: Option[];
}

export function completionScript(shell: Shell, program: Command): string {
  const places = placesOf(program, '', program.createHelp());
  return { bash, zsh, fish }[shell](places);
}

function placesOf(command: Command, at: string, help: Help): Place[] {
  const commands = help.visibleCommands(command).filter((sub) => sub.name() !== 'help');
  const options = [...help.visibleOptions(command), ...(at === '' ? [] : help.visibleGlobalOptions(command))];
  const below = commands.flatMap((sub) => placesOf(sub, `${at} ${sub.name()}`.trim(), help));
  return [{ at, commands, options }, ...below];
}

const wordsOf = ({ commands, options }: Place) => [...commands.map((sub) => sub.name()), ...flagsOf(options)].join(' ');

const flagsOf = (options: Option[]) => options.map(({ long }) => long ?? '');

/** The branches of a `case` by the command, and a pattern of those that there are. */
function branches(places: Place[], branch: (words: string) => string): { cases: string; known: string } {
  const cases = places.map((place) => `    '${place.at}') ${branch(wordsOf(place))} ;;`).join('\n');
  return { cases, known: places.flatMap(({ at }) => (at === '' ? [] : [`'${at}'`])).join('|') };
}

/** A table of the words after each command, and a walk along those that are commands. */
function bash(places: Place[]): string {
  const { cases, known } = branches(places, (words) => `words='${words}'`);
  return `# bash completion of sluice
_sluice() {
  local at='' word next words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${at:+$at }$word"
    case "$next" in ${known}) at="$next" ;; esac
  done
  case "$at" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _sluice sluice
`;
}

function zsh(places: Place[]): string {
  const { cases, known } = branches(places, (words) => `next=(${words})`);
  return `#compdef sluice
_sluice() {
  local at='' word longer
  local -a next
  for word in "\${(@)words[2,CURRENT-1]}"; do
    longer="\${at:+$at }$word"
    case "$longer" in ${known}) at="$longer" ;; esac
  done
  case "$at" in
${cases}
  esac
  compadd -- $next || _files
}
compdef _sluice sluice
`;
}

function fish(places: Place[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = places.flatMap(({ at, commands, options }) => {
    const when =
      at === ''
        ? '__fish_use_subcommand'
        : at
            .split(' ')
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join('; and ');
    return [
      ...commands.map(
        (sub) => `complete -c sluice -f -n ${quoted(when)} -a ${sub.name()} -d ${quoted(sub.description())}`,
      ),
      ...options.map(({ long, required, description }) => {
        return `complete -c sluice -n ${quoted(when)} -l ${long?.slice(2)}${required ? ' -r' : ''} -d ${quoted(description)}`;
      }),
    ];
  });
  return `# fish completion of sluice\n${lines.join('\n')}\n`;
}
