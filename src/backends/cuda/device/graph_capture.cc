#include "backends/cuda/device/graph_capture.h"

#include "common/status_macros.h"

namespace nereid::engine {

absl::StatusOr<std::unique_ptr<CapturedGraph>> CapturedGraph::Capture(
    const Stream& stream, const std::function<absl::Status()>& record) {
  const CudaApi& api = stream.context()->api();
  const auto handle = static_cast<CUstream>(stream.handle());
  NEREID_RETURN_IF_ERROR(
      CudaStatus(api.cuStreamBeginCapture(handle, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                 "cuStreamBeginCapture"));
  const absl::Status recorded = record();
  CUgraph graph = nullptr;
  const CUresult ended = api.cuStreamEndCapture(handle, &graph);
  CUgraphExec exec = nullptr;
  size_t nodes = 0;
  absl::Status status = recorded;
  if (status.ok()) status = CudaStatus(ended, "cuStreamEndCapture");
  if (status.ok()) {
    status = CudaStatus(api.cuGraphGetNodes(graph, nullptr, &nodes), "cuGraphGetNodes");
  }
  if (status.ok()) {
    status = CudaStatus(api.cuGraphInstantiate(&exec, graph, 0), "cuGraphInstantiate");
  }
  if (graph != nullptr) api.cuGraphDestroy(graph);
  NEREID_RETURN_IF_ERROR(status);
  return std::unique_ptr<CapturedGraph>(new CapturedGraph(stream.context(), exec, nodes));
}

CapturedGraph::~CapturedGraph() {
  (void)context_->Bind();
  context_->api().cuGraphExecDestroy(exec_);
}

absl::Status CapturedGraph::Launch(DeviceStream stream) const {
  return CudaStatus(context_->api().cuGraphLaunch(exec_, static_cast<CUstream>(stream)),
                    "cuGraphLaunch");
}

}  // namespace nereid::engine
