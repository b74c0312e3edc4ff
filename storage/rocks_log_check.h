// Tells a write-ahead log that ends in the middle of a record, as a crash leaves it, from one that
// has lost what was on disk. Recovery cannot: it keeps what lies before the first bad record and
// says nothing of the rest, which has been acknowledged if the record was bad because it has
// rotted. But after a torn end there is nothing; after rot the log goes on.
//
// A log file is blocks of 32 KiB of records: a masked CRC-32C (4 bytes), a length (2), a type (1),
// all little-endian, then the payload; the checksum is over type and payload. See RocksDB's
// db/log_format.h. Its last record alone can rot unnoticed.
#pragma once

#include <string>

#include "base/status.h"

namespace eddy::storage {

// Whether some sound record follows a bad one in the logs of this directory. kIo: they cannot be
// read. Requires that no process has it open.
[[nodiscard]] Result<bool> LogsHaveRotted(const std::string& directory);

}  // namespace eddy::storage
