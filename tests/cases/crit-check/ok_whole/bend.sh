# For other cases: bends an image of the set of ok_whole and prints what is found.
mkdir -p d; python3 -B $TESTS/mkimg --all $TESTS/cases/crit-check/ok_whole/d d
# bend IMAGE SED: changes its JSON.
bend() {
  crit-tojson d/$1 > json; cp d/$1 old
  sed "$2" json | crit-fromjson > new; cmp -s new old && echo "nothing changed: $*"
  cp new d/$1; look "$*"; cp old d/$1
}
# without IMAGE...
without() {
  mkdir -p away; for image; do mv d/$image away/; done; look "without $*"; mv away/* d/
}
look() { echo "== $1"; crit-check ${OPTIONS-} d | grep -v file-locks; }
