#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "absl/status/statusor.h"
#include "config/server_options.h"

namespace nereid {

// From our options to those of grpc++. For .cc files of this folder only.

// Plain text, or TLS with the certificates that the options name. INVALID_ARGUMENT when a file
// cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const GrpcServiceOptions& options);

// INVALID_ARGUMENT unless it is none, low, medium or high.
absl::StatusOr<grpc_compression_level> ParseCompressionLevel(const std::string& name);

// Message sizes, keep-alive and connection age.
void ApplySettings(const GrpcServiceOptions& options, grpc::ServerBuilder* builder);

// Queues to use: as many as asked for, otherwise a quarter of the cores between 1 and 8.
int QueueCount(int asked);

}  // namespace nereid
