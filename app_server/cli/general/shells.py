"""The completion scripts of the shells. They are short, because they ask the program that is typed for candidates."""

from __future__ import annotations

BASH = r"""# bash completion for app-server
_app_server() {
    local current="${COMP_WORDS[COMP_CWORD]}" word about
    [[ $current == "=" ]] && current=""
    COMPREPLY=()
    while IFS=$'\t' read -r word about; do
        if [[ $word == ":files" ]]; then
            compopt -o filenames 2>/dev/null
            while read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
        elif [[ -n $word ]]; then
            COMPREPLY+=("$word")
        fi
    done < <("${1/#\~/$HOME}" completion --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _app_server app-server"""

ZSH = r"""#compdef app-server
_app_server() {
    local line
    local -a found files
    for line in "${(@f)$(${~words[1]} completion --words "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == ":files" ]]; then
            files=(yes)
        elif [[ -n $line ]]; then
            found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#found )) && _describe "app-server" found
    (( $#files )) && { compset -P "--[a-z-]#="; _files }
}
if [[ $funcstack[1] == _app_server ]]; then
    _app_server "$@"
else
    compdef _app_server app-server
fi"""

FISH = r"""# fish completion for app-server
function __app_server_candidates
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' $HOME $words[1])
    set -e words[1]
    set -l current (commandline -ct)
    for line in ($program completion --words $words "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else if test -n "$line"
            echo $line
        end
    end
end
complete -c app-server -f -a "(__app_server_candidates)" """

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH.rstrip()}
"""By the shell's name."""
