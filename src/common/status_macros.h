#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expression` from the enclosing function unless it is OK.
#define NEREID_RETURN_IF_ERROR(expression)                                  \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define NEREID_CONCAT_INNER(a, b) a##b
#define NEREID_CONCAT(a, b) NEREID_CONCAT_INNER(a, b)

// NEREID_ASSIGN_OR_RETURN(auto x, F()): the value, or returns the status.
#define NEREID_ASSIGN_OR_RETURN(lhs, expression) \
  NEREID_ASSIGN_OR_RETURN_IMPL(NEREID_CONCAT(statusor_, __LINE__), lhs, expression)
#define NEREID_ASSIGN_OR_RETURN_IMPL(statusor, lhs, expression) \
  auto statusor = (expression);                                 \
  if (!statusor.ok()) return statusor.status();                 \
  lhs = std::move(statusor).value()
