#include "assembly/process_metrics.h"

namespace nereid {

void ProcessMetrics::Collect(std::vector<MetricFamily>* families) {
  families->push_back({"nereid_process_restarts",
                       "New processes that have taken over because a device had failed",
                       MetricFamily::Type::kCounter,
                       {{{}, static_cast<double>(restarts_)}}});
}

}  // namespace nereid
