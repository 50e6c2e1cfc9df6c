"""Scripts for maintainers: releases, generated pages, test results."""
