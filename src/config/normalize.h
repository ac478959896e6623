#pragma once

namespace inference {
class ModelConfig;
}

namespace nereid {

// Writes out the defaults that do not depend on the machine: version policy, preferred batch sizes,
// sequence idle time, pinned-memory switches. Applying it twice changes nothing more.
void NormalizeConfig(inference::ModelConfig* config);

}  // namespace nereid
