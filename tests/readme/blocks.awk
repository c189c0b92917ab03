# SPDX-License-Identifier: Apache-2.0
#
# Takes code out of a document, so that what people read is what is compiled:
#
#     awk -v name=tour.inc -f blocks.awk README.md
#
# prints the fenced blocks below the lines `<!-- tested as tour.inc -->`, in order. It is an error if there are none, or
# if a block of C++ is not tested as anything.

function fail(sentence) {
  print FILENAME ":" NR ": " sentence > "/dev/stderr"
  failed = 1
  exit 1
}

!inside && /^<!-- tested as [^ ]+ -->$/ {
  tested_as = $4
  next
}

!inside && /^```/ {
  if ($0 == "```cpp" && tested_as == "") fail("this block is not tested; put `<!-- tested as FILE -->` above it")
  inside = 1
  wanted = tested_as == name
  found = found || wanted
  # The compiler then complains about the line of the document.
  if (wanted && name ~ /\.inc$/) printf "#line %d \"%s\"\n", NR + 1, FILENAME
  next
}

/^```/ {
  inside = wanted = 0
  tested_as = ""
  next
}

wanted { print }
!inside && NF { tested_as = "" }

END {
  if (!failed && inside) fail("the last block has no end")
  if (!failed && !found) fail("no block is tested as " name)
}
