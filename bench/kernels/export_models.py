#!/usr/bin/env python3
"""Exports random-weight networks as ONNX (opset 17, dynamic batch), for measuring the engine.

    export_models.py FOLDER [resnet50 mobilenet_v2 vit_b_16 bert_base ...]

Needs torch and onnx; torchvision for the image networks, transformers for BERT. Weights are drawn with a fixed seed, so
that two exports are the same model. Each model is written to FOLDER/<name>.onnx with its weights inside.
"""

import os
import sys

import torch

SEED = 1


def sane_statistics(model):
    """Batch norms of an untrained network do nothing; give them statistics as training would."""
    generator = torch.Generator().manual_seed(SEED)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(0.1 * torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(1 + 0.2 * torch.rand(module.num_features, generator=generator))
    return model


def not_zero(model):
    """Untrained biases and heads may be all zeros, which an optimiser would leave out."""
    for module in model.modules():
        for name in ("weight", "bias"):
            values = getattr(module, name, None)
            if isinstance(module, torch.nn.Linear) and values is not None and not values.any():
                torch.nn.init.normal_(values, std=0.02)
    return model


def image_network(name):
    import torchvision

    model = not_zero(sane_statistics(getattr(torchvision.models, name)(weights=None)))
    return model, (torch.randn(1, 3, 224, 224),), ["input"], ["output"]


class Encoder(torch.nn.Module):
    """BERT without the pooler's extras: ids, mask and segment ids in, hidden states and pooled state out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        result = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return result.last_hidden_state, result.pooler_output


def bert_base():
    import transformers

    config = transformers.BertConfig(attn_implementation="eager")
    model = Encoder(not_zero(transformers.BertModel(config)))
    ids = torch.randint(0, config.vocab_size, (1, 128))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    return model, (ids, torch.ones_like(ids), torch.zeros_like(ids)), names, ["last_hidden_state", "pooler_output"]


MODELS = {
    "resnet50": lambda: image_network("resnet50"),
    "mobilenet_v2": lambda: image_network("mobilenet_v2"),
    "vit_b_16": lambda: image_network("vit_b_16"),
    "efficientnet_b0": lambda: image_network("efficientnet_b0"),
    "bert_base": bert_base,
}
DEFAULT = ["resnet50", "mobilenet_v2", "vit_b_16", "bert_base"]


def axes_of(name):
    axes = {0: "batch"}
    if name in ("input_ids", "attention_mask", "token_type_ids", "last_hidden_state"):
        axes[1] = "sequence"
    return axes


def export(name, folder):
    torch.manual_seed(SEED)
    with torch.no_grad():
        model, arguments, inputs, outputs = MODELS[name]()
        model.eval()
        path = os.path.join(folder, name + ".onnx")
        options = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}
        torch.onnx.export(
            model,
            arguments,
            path,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={key: axes_of(key) for key in inputs + outputs},
            opset_version=17,
            do_constant_folding=True,
            **options,
        )
    print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # The fused attention of torch is no operator of ONNX: let its layers be written out.
    torch.backends.mha.set_fastpath_enabled(False)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    failed = []
    for name in sys.argv[2:] or DEFAULT:
        try:
            export(name, folder)
        except Exception as error:  # the others are still wanted
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            failed.append(name)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
