// The values that the simulator's clients write. Each names the operation that wrote it and is a
// function of that number and its size, so a value that was mixed up, cut or changed is known as
// such.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eddy::sim {

inline constexpr size_t kValueBytesMin = 8;

// Requires bytes >= kValueBytesMin.
std::string MakeValue(uint64_t operation, size_t bytes);

// Nullopt for what MakeValue did not make.
std::optional<uint64_t> OperationOfValue(std::string_view value);

}  // namespace eddy::sim
