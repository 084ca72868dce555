"""Parts and contestants of scripts/bench_peers.py. SPDX-License-Identifier: MIT"""
