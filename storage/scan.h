// A page of rows, read in key order (storage/store.h, ScanVerb). Touches the disk, and may run on
// any thread beside the store: eddyd gives it to its readers.
#pragma once

#include "storage/engine.h"
#include "storage/store.h"

namespace eddy::storage {

// Requires a ScanVerb. A row that cannot be trusted is part of the page, with its error; an error
// of the engine is the result's.
StoreResult ScanPage(Engine* engine, const StoreVerb& verb);

}  // namespace eddy::storage
