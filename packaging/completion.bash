# bash completion for vimgmount, vimgumount and vimg.  The options are asked of the program, so they always agree with it.

_vimg() {
  local cur=${COMP_WORDS[COMP_CWORD]} command=("${COMP_WORDS[0]}")
  case ${COMP_WORDS[0]##*/}:$COMP_CWORD in
    vimg:1)
      mapfile -t COMPREPLY < <(compgen -W "info list create convert map --help --version" -- "$cur")
      return ;;
    vimg:*) command+=("${COMP_WORDS[1]}") ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$("${command[@]}" --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z][a-z-]*' | tr -d ' ,')" -- "$cur")
    return
  fi
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _vimg vimgmount vimgumount vimg
