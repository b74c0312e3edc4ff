// Brings a database whose files have rotted back to one that has none: all that can be read is
// copied into column families of their own, then those with the bad files are dropped. RocksDB
// itself would go on until a compaction meets the bad block, and then take no more writes. The
// ranges of tokens that could not be read are marked damaged (storage/damage.h) before anything is
// dropped, so that the node does not answer for them until the other owners have filled them again.
//
// A file `SALVAGE` in the directory asks for it at the next opening; it goes when all is done, and
// a crash at any moment begins anew. A space's family is named as the space or, after an odd number
// of salvages, with `.b` behind it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>

#include "base/status.h"
#include "storage/damage.h"
#include "storage/engine.h"

namespace eddy::storage {

// By Space. RocksDB insists on a family of its own besides, which stays empty.
inline constexpr std::array<std::string_view, kSpaces> kSpaceNames = {"data", "hints", "meta"};
std::string OtherFamilyName(std::string_view space);

using SpaceHandles = std::array<rocksdb::ColumnFamilyHandle*, kSpaces>;

// Durable on return.
[[nodiscard]] Status AskForSalvage(const std::string& directory);
bool SalvageIsAskedFor(const std::string& directory);
[[nodiscard]] Status SalvageIsDone(const std::string& directory);

// Requires that automatic compactions are off for all `spaces`, which are the families in use, and
// that `leftovers` are those of an interrupted salvage. Replaces the handles of the families that
// it replaces. `*damaged`: what was marked.
[[nodiscard]] Status Salvage(rocksdb::DB* db, const rocksdb::ColumnFamilyOptions& options,
                             const std::vector<rocksdb::ColumnFamilyHandle*>& leftovers,
                             SpaceHandles* spaces, std::vector<TokenRange>* damaged);

// Marks ranges as damaged, durably.
[[nodiscard]] Status MarkDamaged(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* meta,
                                 const std::vector<TokenRange>& ranges);

}  // namespace eddy::storage
