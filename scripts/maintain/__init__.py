"""What a maintainer runs: releases, the pages that are written by code, proofs of what is promised."""
