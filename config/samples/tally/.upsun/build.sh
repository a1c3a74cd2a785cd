# Scripts beside the configuration are code: a change of this one builds anew.
set -e
echo "built by a script of the configuration folder" > built.txt
