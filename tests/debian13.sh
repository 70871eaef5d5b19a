#!/bin/bash
# Builds Kiln on Debian 13, whose XNNPACK is of November 2024, and runs the unit, integration and conformance suites.
# To be run by root.
#   tests/debian13.sh [CTEST-OPTION...]      for example: tests/debian13.sh -R test_conv
exec "$(dirname "$0")/debian13/enter.sh" /kiln/tests/debian13/suites.sh "$@"
