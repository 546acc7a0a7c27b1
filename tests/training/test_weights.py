"""Starting weights come from every layout that Keras wrote, or are refused in one sentence."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
import h5py  # noqa: E402

from realtime.errors import WeightsError  # noqa: E402
from training import weights as weights_module  # noqa: E402
from training.model import BLOCKS, CONVOLUTIONS, build_model  # noqa: E402
from training.weights import load_kernels, read_weight_file, set_kernels  # noqa: E402


@pytest.fixture(scope="module")
def vgg():
    return keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def model():
    return build_model(2, 32, dense_units=4)


def write_published_layout(path: Path, vgg, names: tuple[str, ...] = CONVOLUTIONS) -> Path:
    """As in vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5, which Keras 2 wrote in 2016."""
    with h5py.File(path, "w") as file:
        pools = [f"{block}_pool" for block, _, _ in BLOCKS]
        file.attrs["layer_names"] = [name.encode() for name in sorted((*names, *pools))]
        for name in pools:
            file.create_group(name).attrs["weight_names"] = []
        for name in names:
            stored = [f"{name}_W_1:0", f"{name}_b_1:0"]
            group = file.create_group(name)
            group.attrs["weight_names"] = [entry.encode() for entry in stored]
            for entry, value in zip(stored, vgg.get_layer(name).get_weights(), strict=True):
                group[entry] = value
    return path


def assert_same(kernels, vgg) -> None:
    for name in CONVOLUTIONS:
        for found, expected in zip(kernels[name], vgg.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_the_published_layout_of_keras_2_is_read(tmp_path: Path, vgg) -> None:
    path = write_published_layout(tmp_path / "notop.h5", vgg)
    assert_same(read_weight_file(path), vgg)
    vgg.load_weights(path)  # Keras agrees that this is the layout


def test_a_whole_model_of_keras_2_is_read(tmp_path: Path, vgg) -> None:
    vgg.save(tmp_path / "whole.h5")
    assert_same(read_weight_file(tmp_path / "whole.h5"), vgg)


def test_the_layout_of_keras_3_is_read(tmp_path: Path, vgg) -> None:
    vgg.save_weights(tmp_path / "vgg.weights.h5")
    assert_same(read_weight_file(tmp_path / "vgg.weights.h5"), vgg)


def test_the_layout_of_early_keras_3_without_names_is_read(tmp_path: Path, vgg) -> None:
    vgg.save_weights(tmp_path / "vgg.weights.h5")
    with h5py.File(tmp_path / "vgg.weights.h5", "r+") as file:
        for layer in file["layers"].values():
            layer["vars"].attrs.pop("name", None)
    assert_same(read_weight_file(tmp_path / "vgg.weights.h5"), vgg)


def test_a_file_gives_the_model_its_convolutions(tmp_path: Path, vgg, model) -> None:
    set_kernels(model, load_kernels(str(write_published_layout(tmp_path / "notop.h5", vgg))))
    np.testing.assert_array_equal(
        model.get_layer("block5_conv3").get_weights()[0], vgg.get_layer("block5_conv3").get_weights()[0]
    )


def test_none_means_to_start_from_nothing() -> None:
    assert load_kernels("none") is None


def test_a_missing_file_and_one_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.h5: no such weight file; .*--weights FILE.*--weights none"):
        load_kernels(str(tmp_path / "gone.h5"))
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(WeightsError, match="not a Keras weight file in HDF5"):
        load_kernels(str(tmp_path / "text.h5"))
    with pytest.raises(WeightsError, match="not a Keras weight file in HDF5"):
        load_kernels(str(tmp_path))


def test_a_file_of_another_network_is_refused_with_what_is_missing(tmp_path: Path, vgg) -> None:
    short = write_published_layout(tmp_path / "short.h5", vgg, CONVOLUTIONS[:-2])
    with pytest.raises(WeightsError, match="2 of 13 convolutions are missing: block5_conv2, block5_conv3"):
        load_kernels(str(short))
    other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(WeightsError, match="13 of 13 convolutions are missing"):
        load_kernels(str(tmp_path / "other.weights.h5"))


def test_kernels_of_another_shape_or_not_finite_are_refused(tmp_path: Path, vgg) -> None:
    path = write_published_layout(tmp_path / "odd.h5", vgg)
    with h5py.File(path, "r+") as file:
        file["block2_conv1/block2_conv1_b_1:0"][0] = np.nan
    with pytest.raises(WeightsError, match="block2_conv1 holds values that are not finite"):
        load_kernels(str(path))
    with h5py.File(path, "r+") as file:
        del file["block1_conv1/block1_conv1_W_1:0"]
        file["block1_conv1/block1_conv1_W_1:0"] = np.zeros((3, 3, 1, 64), np.float32)
    with pytest.raises(WeightsError, match=r"block1_conv1 has shape \(3, 3, 1, 64\), VGG16 has \(3, 3, 3, 64\)"):
        load_kernels(str(path))


class TestImageNetDownload:
    """Against real sockets on this machine: a closed port, a server that never answers, and one that does."""

    @pytest.fixture(autouse=True)
    def empty_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path / "keras"))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    def point_at(self, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
        url = f"http://127.0.0.1:{port}/notop.h5"
        monkeypatch.setattr(keras.src.applications.vgg16, "WEIGHTS_PATH_NO_TOP", url)

    def test_where_nothing_answers_the_other_options_are_named(self, monkeypatch, capsys) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.point_at(monkeypatch, port)  # closed again
        with pytest.raises(
            WeightsError, match=r"cannot be downloaded \(.*refused.*\); .*--weights FILE.*--weights none"
        ) as refused:
            load_kernels("imagenet")
        assert "\n" not in str(refused.value)
        assert capsys.readouterr().out == ""

    def test_a_server_that_accepts_and_never_answers_does_not_hang_us(self, monkeypatch) -> None:
        monkeypatch.setattr(weights_module, "STALL_S", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.point_at(monkeypatch, server.getsockname()[1])
            with pytest.raises(WeightsError, match=r"cannot be downloaded .*timed out"):
                load_kernels("imagenet")
        assert socket.getdefaulttimeout() is None

    def test_a_download_that_is_not_the_published_file_is_refused(self, monkeypatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.point_at(monkeypatch, server.getsockname()[1])

            def answer() -> None:
                with server.accept()[0] as peer:
                    peer.recv(4096)
                    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")

            thread = threading.Thread(target=answer)
            thread.start()
            with pytest.raises(WeightsError, match="cannot be downloaded"):
                load_kernels("imagenet")
            thread.join(10)

    def test_the_cached_file_is_used_without_a_network(self, vgg, monkeypatch, tmp_path) -> None:
        self.point_at(monkeypatch, 1)
        (tmp_path / "keras/models").mkdir(parents=True)
        cached = tmp_path / "keras/models/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
        write_published_layout(cached, vgg)
        # The real file's checksum cannot be met by a file written here.
        monkeypatch.setattr(keras.src.utils.file_utils, "validate_file", lambda *a, **k: True)
        kernels = load_kernels("imagenet")
        np.testing.assert_array_equal(kernels["block1_conv1"][0], vgg.get_layer("block1_conv1").get_weights()[0])
