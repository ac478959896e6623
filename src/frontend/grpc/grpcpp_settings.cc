#include "frontend/grpc/grpcpp_settings.h"

#include <grpcpp/security/server_credentials.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

struct CompressionRow {
  const char* name;
  grpc_compression_level level;
};
constexpr CompressionRow kCompressionLevels[] = {
    {"none", GRPC_COMPRESS_LEVEL_NONE},
    {"low", GRPC_COMPRESS_LEVEL_LOW},
    {"medium", GRPC_COMPRESS_LEVEL_MED},
    {"high", GRPC_COMPRESS_LEVEL_HIGH},
};

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad() || text.empty()) {
    return absl::InvalidArgumentError(StrCat("failed to read the certificate file '", path, "'"));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const GrpcServiceOptions& options) {
  if (!options.use_ssl && !options.use_ssl_mutual) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions ssl(
      options.use_ssl_mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  NEREID_ASSIGN_OR_RETURN(pair.private_key, ReadPem(options.server_key));
  NEREID_ASSIGN_OR_RETURN(pair.cert_chain, ReadPem(options.server_cert));
  if (options.use_ssl_mutual || !options.root_cert.empty()) {
    NEREID_ASSIGN_OR_RETURN(ssl.pem_root_certs, ReadPem(options.root_cert));
  }
  ssl.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(ssl);
}

absl::StatusOr<grpc_compression_level> ParseCompressionLevel(const std::string& name) {
  for (const CompressionRow& row : kCompressionLevels) {
    if (name == row.name) return row.level;
  }
  return absl::InvalidArgumentError(StrCat("unknown response compression level '", name,
                                           "', expected none, low, medium or high"));
}

void ApplySettings(const GrpcServiceOptions& options, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
  builder->SetMaxSendMessageSize(std::numeric_limits<int>::max());
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, options.keepalive_time_ms);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options.keepalive_timeout_ms);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,
                              options.keepalive_permit_without_calls ? 1 : 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA,
                              options.max_pings_without_data);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              options.min_recv_ping_interval_without_data_ms);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, options.max_ping_strikes);
  if (options.max_connection_age_ms > 0) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, options.max_connection_age_ms);
  }
  if (options.max_connection_age_grace_ms > 0) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                                options.max_connection_age_grace_ms);
  }
}

int QueueCount(int asked) {
  if (asked > 0) return asked;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 4, 1, 8);
}

}  // namespace nereid
