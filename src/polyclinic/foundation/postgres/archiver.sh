# Keeps and brings back segments of the write-ahead log. Run by PostgreSQL's own user, which may
# reach no Python of ours: a shell, gzip and sync are all it needs.
#
#   archiver.sh put FILE NAME FOLDER    keeps FILE as FOLDER/NAME.gz; 0 only once it is on the disk
#   archiver.sh get NAME FILE FOLDER    brings it back; 1 when there is none, or it is damaged
#
# A name is never written over. The same bytes again are fine (a crash came between the end of a put
# and PostgreSQL's note of it); other bytes under a known name are another cluster's, and refused.
set -u
umask 077
case "$1" in
put)
    kept="$4/$3.gz"
    if [ -e "$kept" ]; then
        gzip -dc "$kept" | cmp -s - "$2" && exit 0
        echo "archiver: $3 is kept already with other content; it is not written over" >&2
        exit 1
    fi
    rm -f "$4/.$3."*  # what a power cut left
    fresh="$4/.$3.$$"
    trap 'rm -f "$fresh"' EXIT
    gzip -1 -c "$2" > "$fresh" && sync "$fresh" && ln "$fresh" "$kept" && sync "$4"
    ;;
get)
    [ -e "$4/$2.gz" ] || exit 1
    gzip -dc "$4/$2.gz" > "$3" && exit 0
    # Half a segment must not look like one.
    rm -f "$3"
    echo "archiver: $2 is damaged in the archive" >&2
    exit 1
    ;;
*)
    exit 2
    ;;
esac
