// A join-semilattice: what replicas exchange so that they converge whatever the order, the number
// and the grouping of messages (Shapiro et al., CRDTs). Join must be commutative, associative and
// idempotent, and must break ties by a total order. Every type that claims to be one is listed in
// tests/lattice/laws_test.cc.
#pragma once

#include <concepts>

namespace eddy::lattice {

template <class T>
concept Lattice = std::equality_comparable<T> && requires(T a, const T b) {
  { a.Join(b) } -> std::same_as<void>;
};

}  // namespace eddy::lattice
