import type { Command } from "commander";

/** A static completion script: it never starts Holdfast, so it answers at once and touches no backend. */
export function completionScript(shell: string, program: Command): string {
  const words = wordsOf(program);
  if (shell === "fish") return fish(words);
  return shell === "zsh" ? `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}` : bash(words);
}

interface Words {
  readonly name: string;
  readonly description: string;
  readonly options: readonly string[];
}

function wordsOf(program: Command): readonly Words[] {
  const common = program.options.flatMap((option) => option.long ?? []);
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: [...command.options.flatMap((option) => option.long ?? []), ...common],
  }));
}

function bash(words: readonly Words[]): string {
  const cases = words.map(({ name, options }) => `    ${name}) COMPREPLY=($(compgen -W "${options.join(" ")}" -- "$cur")) ;;`).join("\n");
  const names = words.map(({ name }) => name).join(" ");
  return `_holdfast() {
  local cur="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "$cur")); return; fi
  case "$cur" in -*) ;; *) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  case "\${COMP_WORDS[1]}" in
${cases}
  esac
}
complete -F _holdfast holdfast
`;
}

function fish(words: readonly Words[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const names = words.map(({ name, description }) => `complete -c holdfast -n __fish_use_subcommand -f -a ${name} -d ${quote(description)}`);
  const options = words.flatMap(({ name, options: longs }) =>
    longs.map((long) => `complete -c holdfast -n '__fish_seen_subcommand_from ${name}' -l ${long.replace(/^--/, "")}`),
  );
  return `${[...names, ...options].join("\n")}\n`;
}
