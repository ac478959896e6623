#pragma once

#include "nereid/batch.h"

namespace nereid {

// Copies the inputs that lie in GPU memory to host memory, for an instance that can read nothing
// else. A request whose inputs cannot be copied is answered with the reason and leaves the batch.
void BringInputsToHost(Batch& batch);

}  // namespace nereid
