import pytest
from diffusers import UNet2DConditionModel
from fedscan.errors import PrivacyError
from fedscan.privacy.validation import validate_for_dp
from torch import nn


def test_batch_normalisation_is_named() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(2)))
    with pytest.raises(PrivacyError, match=r"1\.1 \(BatchNorm2d\)"):
        validate_for_dp(module)


def test_normalisation_that_keeps_statistics_is_named() -> None:
    with pytest.raises(PrivacyError, match="itself"):
        validate_for_dp(nn.InstanceNorm2d(2, affine=True, track_running_stats=True))


def test_frozen_layers_may_normalise_as_they_were_trained_but_not_watch_the_patients() -> None:
    frozen = nn.Sequential(nn.BatchNorm2d(2)).requires_grad_(False)
    validate_for_dp(frozen.eval())
    with pytest.raises(PrivacyError, match="BatchNorm2d"):
        validate_for_dp(frozen.train())


def test_a_diffusion_u_net_passes_until_one_layer_mixes_patients() -> None:
    network = UNet2DConditionModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    validate_for_dp(network)
    network.conv_norm_out = nn.BatchNorm2d(8)
    with pytest.raises(PrivacyError, match=r"conv_norm_out \(BatchNorm2d\)"):
        validate_for_dp(network)
