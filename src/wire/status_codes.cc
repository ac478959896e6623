#include "wire/status_codes.h"

namespace nereid {
namespace {

struct Row {
  absl::StatusCode code;
  int http;
  int grpc;
};

constexpr Row kRows[] = {
    {absl::StatusCode::kOk, 200, 0},
    // The protocol's own classes.
    {absl::StatusCode::kUnknown, 400, 2},
    {absl::StatusCode::kInternal, 500, 13},
    {absl::StatusCode::kNotFound, 404, 5},
    {absl::StatusCode::kInvalidArgument, 400, 3},
    {absl::StatusCode::kUnavailable, 503, 14},
    {absl::StatusCode::kUnimplemented, 501, 12},
    {absl::StatusCode::kAlreadyExists, 400, 6},
    {absl::StatusCode::kCancelled, 400, 1},
    // Everything else a backend or the system may report.
    {absl::StatusCode::kDeadlineExceeded, 503, 4},
    {absl::StatusCode::kResourceExhausted, 503, 8},
    {absl::StatusCode::kPermissionDenied, 403, 7},
    {absl::StatusCode::kFailedPrecondition, 400, 9},
    {absl::StatusCode::kAborted, 400, 10},
    {absl::StatusCode::kOutOfRange, 400, 11},
    {absl::StatusCode::kDataLoss, 500, 15},
    {absl::StatusCode::kUnauthenticated, 403, 16},
};

// A code that no table knows counts as unknown.
const Row& Find(absl::StatusCode code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row;
  }
  return kRows[1];
}

}  // namespace

int HttpStatusOf(absl::StatusCode code) { return Find(code).http; }

int GrpcCodeOf(absl::StatusCode code) { return Find(code).grpc; }

}  // namespace nereid
