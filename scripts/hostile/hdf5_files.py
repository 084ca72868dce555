# hdf5_files.py: malformed HDF5 dumps: links, claims, filters, indexes, heaps, headers. Needs h5py and numpy.
#
# h5py writes what it can; what it cannot is patched into its bytes. Headers and indexes of the first version, which
# h5py writes unless asked, have no checksums. A file whose name begins with "under_" has its features in /g/features.
# Each topic is a module of its own; here is only the order of their parts, which is the table's.
#
# SPDX-License-Identifier: MIT
from hostile import hdf5_chunks as chunks
from hostile import hdf5_costs as costs
from hostile import hdf5_filters as filters
from hostile import hdf5_headers as headers
from hostile import hdf5_heaps as heaps
from hostile import hdf5_links as links
from hostile import hdf5_members as members
from hostile import hdf5_types as types
from hostile.hdf5_bytes import Dumps

PARTS = (
    links.links, links.elsewhere, types.shapes, types.types, costs.claims, filters.damaged, filters.pipelines,
    chunks.indexes, chunks.pieces, heaps.collections, heaps.ends, heaps.sound, chunks.compact, headers.cuts,
    members.names, members.attributes, members.nesting, filters.at_edges, costs.many, members.line, costs.packed,
    costs.grids, heaps.of_arrays, filters.rarer, filters.copied, headers.layouts, links.unused, types.gaps, members.within,
    headers.messages, headers.places, heaps.behind_user_block, members.more_attributes, filters.read, types.read,
    heaps.many_chunks, members.too_many_groups, chunks.no_rows, filters.named,
    filters.without_chunks, headers.attributes, headers.edges, headers.apart, headers.many_messages, headers.many_attributes,
)


def cases(c):
    dumps = Dumps(c)
    for part in PARTS:
        part(dumps)
